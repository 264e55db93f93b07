"""`params.yaml`, read strictly: a model for each section."""
