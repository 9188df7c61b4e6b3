"""Code that several subcommands share: options, loading, and long jobs."""
