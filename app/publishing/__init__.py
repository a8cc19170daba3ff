"""The addons of a site as people meet them: forms, previews, history, publishing."""
