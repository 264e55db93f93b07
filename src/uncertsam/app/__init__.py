"""What people start: the command, the library's predictor, the page to try it on."""
