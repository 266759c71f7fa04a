"""The web page of ``vipaint app``: what it does, without gradio, and thinly laid over it the page.

A :class:`~vipaint_pyro.app.sessions.Session` is one visitor: a picture, a hole, a fit, what was drawn. Only
``page``, ``serving``, and the modules called after their tabs import gradio.
"""
