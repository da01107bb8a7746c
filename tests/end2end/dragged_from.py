"""The panel's history with one take, and a name from which another file is dragged, in a window."""

from __future__ import annotations

import sys

from PyQt6.QtCore import QTimer
from PyQt6.QtWidgets import QAbstractItemView, QApplication, QLabel, QTreeView, QVBoxLayout, QWidget

from ui.model.history_tree import HistoryTree
from ui.model.past import PastJob, PastTake
from ui.widgets.dragging import DragSource

PATH, OTHER = sys.argv[1:3]
application = QApplication(sys.argv)
tree = HistoryTree()
tree.add(
    PastJob(id="j1", seq=1, task="generate", prompt="warm rain", model="starter", created_s=0.0, takes=1)
)
take = PastTake(
    job_id="j1",
    index=0,
    path=PATH,
    seed=7,
    score=0.5,
    rating=0,
    is_favourite=False,
    file="present",
    total_bytes=10,
)
tree.set_takes("j1", [take])
view = QTreeView()
view.setHeaderHidden(True)
view.setModel(tree)
view.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
name = QLabel("Take 1")
name.setMinimumHeight(100)
source = DragSource(name, lambda: [OTHER])
window = QWidget()
column = QVBoxLayout(window)
column.setContentsMargins(0, 0, 0, 0)
column.addWidget(view)
column.addWidget(name)
window.setGeometry(50, 100, 300, 300)
window.show()
QTimer.singleShot(300, lambda: (sys.stdout.write("ready\n"), sys.stdout.flush()))
sys.exit(application.exec())
