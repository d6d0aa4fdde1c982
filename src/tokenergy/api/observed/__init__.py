"""What `observe` joins: engines, meters, prices and usage to a priced token."""
