"""How the pocket model was made: world, renderer, captions, tokenizer, text encoder, VAE, transformer, evaluation."""
