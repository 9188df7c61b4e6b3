"""Moving MNIST: 10,000 clips of two digits that move and bounce."""
