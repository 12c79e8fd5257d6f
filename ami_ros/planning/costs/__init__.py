"""What makes one imagined future better than another: small terms, one idea a file, each with a weight."""
