"""The keys that secrets at rest are encrypted with: new ones, and doing without old ones."""
