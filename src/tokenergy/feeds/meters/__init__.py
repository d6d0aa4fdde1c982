"""Meters of energy: boards, processors, processes, and what a Prometheus server keeps."""
