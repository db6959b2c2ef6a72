"""What the agent shows a person in a browser: plain HTML, made when it is asked for. No script is needed.

Nothing here is imported before the first page is asked for, but `routes` and `facts`.
"""
