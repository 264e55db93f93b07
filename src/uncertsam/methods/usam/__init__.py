"""USAM (UncertainSAM, ICML 2025): is the model, the prompt or the task to blame for a bad mask?"""
