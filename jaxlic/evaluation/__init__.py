"""What codecs cost and give: sweeps over photographs, pictures, complexity."""
