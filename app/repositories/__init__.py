"""Git repositories of applications: who may read and push, and what waits to be deployed."""
