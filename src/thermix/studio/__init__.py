"""A page to design a mixture on: `thermix studio`.

    knobs.py, temperatures.py   what there is to turn in a configuration, and the configuration after it
    yaml_text.py                those changes in the text of the file, its comments kept
    design.py                   a text to its plan and forecast, by the code that reads every configuration
    opened.py                   the one file that the command line names: read, and written on request
    page.py, sidebar.py, shown.py, server.py    the page itself; only these need Streamlit

The invariant: the YAML on the page is what the charts are drawn of.
"""
