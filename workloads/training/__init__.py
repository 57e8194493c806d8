"""What the training loops share: processes, precision, checkpoints, run folders, resumable order of samples."""
