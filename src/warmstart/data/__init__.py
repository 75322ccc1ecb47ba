"""Where data come from, how they are split and how they are standardized."""
