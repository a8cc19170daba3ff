"""What command line clients ask of the panel: applications, their data, pulling and pushing it."""
