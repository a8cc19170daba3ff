"""Worker processes as people see them: definitions, states, restarts."""
