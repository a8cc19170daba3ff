"""What all pages share: the guard on every endpoint, the frame, errors, paging, live streams."""
