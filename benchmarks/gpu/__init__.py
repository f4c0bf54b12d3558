"""Full-size Wan models with random weights on a GPU: stock diffusers beside cinelet, each optimisation alone and all together."""
