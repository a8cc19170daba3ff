"""The processes of an installation, one file each, and the list supervisord runs them from."""
