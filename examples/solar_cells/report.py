from solar_cells.summary import Run
def render_report(run: Run) -> str:
    return ""
