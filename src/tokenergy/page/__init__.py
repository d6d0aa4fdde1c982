"""What a person looks at: charts, one definition each, and the report that holds them."""
