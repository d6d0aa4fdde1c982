"""Files in and out: company files, series, the catalogue, tables."""
