"""Pure parsers, one module per vendor format: text in, facts and refusals out."""
