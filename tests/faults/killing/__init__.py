"""Parts of the campaign that kills commands: what is run, what strikes it, and what is compared."""
