package panels

import (
	"fmt"
	"math"
	"time"
)

// The measures of a panel with lines, in pixels.
const (
	titleHeight  = 34
	timeHeight   = 18
	timeWidth    = 44 // of the longest time
	legendLine   = 15
	legendLines  = 2
	valueWidth   = 66
	letterWidth  = 6.5 // a little more than the average letter
	swatchWidth  = 14
	swatchLength = 9
	restWidth    = 100 // of the text for the number of unnamed series
)

// colors are the colors of a panel's series, for white and black backgrounds.
var colors = []string{"#3c7fd9", "#d9771e", "#37872d", "#d6353f", "#8f5bd0", "#a8871a", "#1f9393", "#c2559d", "#7d7d7d"}

// drawLines draws the axes, a line for each series, and the legend.
func (p Picture) drawLines(c *canvas, panel Panel, at box, write func(float64) string) {
	all := p.Series[panel.Title]
	plot := box{
		left: at.left + valueWidth, top: at.top + titleHeight,
		width:  at.width - valueWidth - timeWidth/2,
		height: at.height - titleHeight - timeHeight - legendLines*legendLine - 8,
	}
	values := axisFor(all, panel.Logarithmic)
	for _, tick := range values.ticks {
		y := plot.top + plot.height*(1-values.position(tick))
		c.printf(`<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, plot.left, y, plot.left+plot.width, y)
		c.text(plot.left-6, y+4, `class="faint" text-anchor="end"`, write(tick))
	}
	p.drawTimes(c, plot)
	for i, s := range all {
		xs, ys := p.points(s, values, plot)
		c.path(colors[i%len(colors)], xs, ys)
	}
	if !HasData(all) {
		c.text(plot.left+plot.width/2, plot.top+plot.height/2, `class="faint" text-anchor="middle" font-size="13"`, "no data")
		return
	}
	drawLegend(c, all, box{at.left + 10, plot.top + plot.height + timeHeight + legendLine, at.width - 20, legendLines * legendLine})
}

func (p Picture) drawTimes(c *canvas, plot box) {
	for _, since := range moments(p.To.Sub(p.From)) {
		x := plot.left + plot.width*p.position(p.From.Add(since))
		c.printf(`<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, x, plot.top, x, plot.top+plot.height)
		label := fmt.Sprintf("%.3g min", since.Minutes())
		if since == 0 {
			label = "0"
		}
		c.text(x, plot.top+plot.height+14, `class="faint" text-anchor="middle"`, label)
	}
}

// position maps a time to a position between From, 0, and To, 1.
func (p Picture) position(at time.Time) float64 {
	return float64(at.Sub(p.From)) / float64(p.To.Sub(p.From))
}

// points returns the points of the series in pixels, with NaN for a gap.
func (p Picture) points(s Series, values axis, plot box) (xs, ys []float64) {
	var before time.Time
	for _, point := range s.Points {
		x := plot.left + plot.width*p.position(point.At)
		if !before.IsZero() && point.At.Sub(before) > p.Step*3/2 {
			xs, ys = append(xs, x), append(ys, math.NaN())
		}
		before = point.At
		y := math.NaN()
		if finite(point.Value) {
			y = plot.top + plot.height*(1-values.position(point.Value))
		}
		xs, ys = append(xs, x), append(ys, y)
	}
	return xs, ys
}

// drawLegend names the series that are not always 0, as far as they fit, and counts the rest.
// If all are 0 it names them all.
func drawLegend(c *canvas, all []Series, at box) {
	listed, rest := moving(all)
	x, y, shown := at.left, at.top, 0
	for _, i := range listed {
		width := swatchWidth + letterWidth*float64(len(all[i].Name)) + 12
		lastLine := y > at.top+at.height-2*legendLine
		right := at.left + at.width
		if lastLine {
			right -= restWidth
		}
		if x+width > right && x > at.left {
			if lastLine {
				rest = "others"
				break
			}
			x, y = at.left, y+legendLine
		}
		c.printf(`<rect x="%.1f" y="%.1f" width="%d" height="3" fill="%s"/>`, x, y-5, swatchLength, colors[i%len(colors)])
		c.text(x+swatchWidth, y, `class="text"`, all[i].Name)
		x, shown = x+width, shown+1
	}
	if left := len(all) - shown; left > 0 {
		c.text(x, y, `class="faint"`, fmt.Sprintf("and %d %s", left, rest))
	}
}

// moving returns the indexes of the series that are not always 0, or of all if there is none,
// and the text for the rest.
func moving(all []Series) (places []int, rest string) {
	for i, s := range all {
		if !s.flat() {
			places = append(places, i)
		}
	}
	if len(places) > 0 {
		return places, "others, at 0"
	}
	for i := range all {
		places = append(places, i)
	}
	return places, "others"
}
