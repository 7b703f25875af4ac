"""luthier: adapt a pre-trained model to your own examples."""
