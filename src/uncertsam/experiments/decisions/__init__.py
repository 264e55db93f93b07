"""Which masks to improve first, and how: by another model, a better prompt, a person's choice, or by hand (USAM)."""
