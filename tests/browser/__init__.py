"""The pages as people meet them: a real browser over a real server, with fakes behind it."""
