"""The command: what people type. Each sub-command stands in its own module, imported only when it is called."""
