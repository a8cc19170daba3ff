"""What spans rooms: an application comes into being with all that belongs to it."""
