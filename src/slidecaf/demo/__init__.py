from slidecaf.demo.study import SLIDES
