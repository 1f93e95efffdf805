"""Models trained with CompressAI, as codecs of ours; PyTorch is not needed."""
