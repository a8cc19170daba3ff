"""The only wing that knows vendor libraries: each folder a protocol, a real one and a fake."""
