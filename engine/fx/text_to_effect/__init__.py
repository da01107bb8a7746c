"""Words turned into effects (after Text2FX, Chu et al. 2024): a chain whose result CLAP hears as them."""
