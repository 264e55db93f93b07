"""Controls: what the paper's SAM and Laplace differ in, one by one (`profiles/controls_registration.md`)."""
