"""Who speaks in a turn: the roles that chat templates know, by the names that data sets give them."""

from luthier.data.column_names import normal

SYSTEM, USER, ASSISTANT, TOOL = "system", "user", "assistant", "tool"
CALL = "function_call"
"""The speaker of ShareGPT's turns in which the assistant calls a tool, as JSON."""

NAMES = {
    SYSTEM: (SYSTEM, "developer"),
    USER: (USER, "human", "prompter", "usr"),
    ASSISTANT: (ASSISTANT, "gpt", "bot", "chatbot", "chatgpt", "model", "ai", "bard", "bing", "claude"),
    TOOL: (TOOL, "function", "observation", "function_response", "tool_response", "ipython"),
    CALL: (CALL, "tool_call"),
}
"""Names of each role, as they are compared: in small letters, with `_` between words."""
ROLES = {name: role for role, names in NAMES.items() for name in names}
PLAIN = "user, assistant, system or tool"
"""The names to write, in a message."""


def role_of(name: str) -> str | None:
    """The role that a speaker's name stands for; None where it is not known.

    >>> role_of("human"), role_of("GPT"), role_of("functionCall"), role_of("Alice")
    ('user', 'assistant', 'function_call', None)
    """
    return ROLES.get(normal(name))
