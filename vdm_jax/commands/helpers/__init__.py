"""What several subcommands share on the command line: options, loading, and long jobs."""
