"""Images in and out: photographs, benchmark sets, the training stream."""
