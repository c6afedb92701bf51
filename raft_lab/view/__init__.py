"""What people see: the lab widget, pictures for places without widgets, tables and charts."""
