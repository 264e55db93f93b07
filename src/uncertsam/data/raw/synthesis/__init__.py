"""How synthetic pictures are drawn: textures, shapes, scenery."""
