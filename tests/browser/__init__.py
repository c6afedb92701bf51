"""The lab as people meet it: a real JupyterLab, a real kernel and a real browser."""
