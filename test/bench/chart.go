package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"slices"
)

// The chart's measures, in pixels.
const (
	chartWidth  = 980
	chartBorder = 16
	headHeight  = 78
	panelWidth  = (chartWidth - 2*chartBorder) / 2
	labelWidth  = 200
	barsWidth   = 180
	titleHeight = 30
	lineHeight  = 24
	barHeight   = 15
	scaleHeight = 34
)

const (
	colorOurs  = "#2f7d4f"
	colorLimit = "#8a8f98"
	colorPeer  = "#b3432b"
	colorText  = "#222222"
	colorFaint = "#666666"
	colorGrid  = "#dddddd"
)

// A panel compares one figure of all programs.
type panel struct {
	title   string
	unit    unit
	figures []figure
}

// A figure is the value of one program.
type figure struct {
	label, color string
	value        float64
}

// chart draws this controller beside the floor, the bare API and the peers. It fails if a
// row that it shows was not measured.
func chart(r report) ([]byte, error) {
	panels, err := panelsOf(r)
	if err != nil {
		return nil, err
	}
	lines := 0
	for _, p := range panels {
		lines = max(lines, len(p.figures))
	}
	panelHeight := titleHeight + lineHeight*lines + scaleHeight
	height := headHeight + panelHeight*((len(panels)+1)/2)
	var out bytes.Buffer
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" fill="%s">`+"\n", chartWidth, height, colorText)
	fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", chartWidth, height)
	text(&out, chartBorder, 24, `font-size="16" font-weight="bold"`, "10,000 workloads in 2,000 Services (shorter is better; each grid line is ten times the one before)")
	for i, line := range []string{
		fmt.Sprintf("This controller, floor and bare API: one run on %s, commit %s, %d processors.", r.Date.Format("2006-01-02"), r.Commit, r.Machine.Processors),
		"Kubernetes' and Linkerd's controllers: measured by hand, on 2 processors too, Kubernetes 1.36.3.",
	} {
		text(&out, chartBorder, 43+17*i, `fill="`+colorFaint+`"`, line)
	}
	for i, p := range panels {
		p.draw(&out, chartBorder+i%2*panelWidth, headHeight+i/2*panelHeight)
	}
	out.WriteString("</svg>\n")
	return out.Bytes(), nil
}

// draw draws the panel with logarithmic bars.
func (p panel) draw(out *bytes.Buffer, left, top int) {
	text(out, left, top+18, `font-weight="bold"`, p.title)
	first, last := p.decades()
	position := func(value float64) int {
		return left + labelWidth + int((math.Log10(value)-float64(first))/float64(last-first)*barsWidth)
	}
	bottom := top + titleHeight + lineHeight*len(p.figures)
	for decade := first; decade <= last; decade++ {
		x := position(math.Pow10(decade))
		fmt.Fprintf(out, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="%s"/>`+"\n", x, top+titleHeight-4, x, bottom, colorGrid)
		text(out, x, bottom+14, `text-anchor="middle" font-size="10" fill="`+colorFaint+`"`, rounded(p.unit, math.Pow10(decade)))
	}
	for i, f := range p.figures {
		y := top + titleHeight + lineHeight*i
		text(out, left+labelWidth-8, y+barHeight-3, `text-anchor="end"`, f.label)
		end := position(f.value)
		fmt.Fprintf(out, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n", left+labelWidth, y, max(end-left-labelWidth, 1), barHeight, f.color)
		text(out, end+6, y+barHeight-3, "", rounded(p.unit, f.value))
	}
}

// decades returns the powers of ten between which all values lie.
func (p panel) decades() (first, last int) {
	byValue := func(a, b figure) int { return int(math.Copysign(1, a.value-b.value)) }
	first = int(math.Floor(math.Log10(slices.MinFunc(p.figures, byValue).value)))
	return first, max(int(math.Ceil(math.Log10(slices.MaxFunc(p.figures, byValue).value))), first+1)
}

// rounded formats a value with two digits, and milliseconds from 1000 on as seconds.
func rounded(u unit, value float64) string {
	if u == milliseconds && value >= 1000 {
		u, value = seconds, value/1000
	}
	if value >= 10 {
		return fmt.Sprintf("%.0f %s", value, u)
	}
	return fmt.Sprintf("%.2g %s", value, u)
}

func text(out *bytes.Buffer, x, y int, style, content string) {
	fmt.Fprintf(out, `<text x="%d" y="%d" %s>%s</text>`+"\n", x, y, style, html.EscapeString(content))
}
