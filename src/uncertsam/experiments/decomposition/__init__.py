"""Where the combined uncertainty comes from: the shares of model, picture and prompt, dataset by dataset."""
