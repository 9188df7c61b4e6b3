"""`vdm-jax plan`: settings to try, the search among them, and the report."""
