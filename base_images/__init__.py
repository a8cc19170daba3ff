"""The images that sites are built on, made here out of Debian packages: no registry is asked."""
