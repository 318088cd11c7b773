"""How each kind of target is spoken to: one file and one small class a kind. Pure; ``adapters.conversing`` speaks."""
