"""What a TPM says of a machine that started an image: predicted from the image, and compared with a log."""
