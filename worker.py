"""A worker: runs deployments and operations from the queue until it is ended."""

from app.processes.worker import main

if __name__ == "__main__":
    main()
