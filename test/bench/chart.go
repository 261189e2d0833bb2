package main

import (
	"bytes"
	"fmt"
	"html"
)

// The chart's measures, in pixels.
const (
	chartWidth  = 960
	labelWidth  = 350
	barsWidth   = 400
	lineHeight  = 26
	barHeight   = 16
	headHeight  = 58
	footHeight  = 34
	chartBorder = 16
	// widest is the share of the goal at which a bar is truncated.
	widest = 2.0
)

const (
	colorMet    = "#2f7d4f"
	colorMissed = "#b3432b"
	colorGoal   = "#444444"
	colorText   = "#222222"
	colorGrid   = "#dddddd"
)

// chart draws, for each row, the share of its goal that is used.
func chart(r report) []byte {
	var out bytes.Buffer
	height := headHeight + lineHeight*len(r.Rows) + footHeight
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13" fill="%s">`+"\n", chartWidth, height, colorText)
	fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", chartWidth, height)
	text(&out, chartBorder, 24, `font-size="16" font-weight="bold"`, "Used share of each goal (shorter is better)")
	text(&out, chartBorder, 43, `fill="#666666"`, fmt.Sprintf("%s, commit %s, %d processors, control plane and controller together",
		r.Date.Format("2006-01-02"), r.Commit, r.Machine.Processors))
	bottom := headHeight + lineHeight*len(r.Rows)
	for _, share := range []float64{0, 0.5, 1.5, 2} {
		vertical(&out, share, bottom, fmt.Sprintf(`stroke="%s"`, colorGrid))
	}
	for i, row := range r.Rows {
		drawRow(&out, row, headHeight+lineHeight*i)
	}
	vertical(&out, 1, bottom, fmt.Sprintf(`stroke="%s" stroke-width="2"`, colorGoal))
	text(&out, position(1), bottom+20, `text-anchor="middle"`, "goal")
	out.WriteString("</svg>\n")
	return out.Bytes()
}

func drawRow(out *bytes.Buffer, r row, top int) {
	color := colorMet
	if !r.met() {
		color = colorMissed
	}
	baseline := top + barHeight - 3
	text(out, labelWidth-10, baseline, `text-anchor="end"`, r.Name)
	fmt.Fprintf(out, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"/>`+"\n",
		labelWidth, top, max(position(min(r.share(), widest))-labelWidth, 1), barHeight, color)
	label := r.Unit.text(r.Measured)
	if bare, _ := r.compared(r.Bare); bare != "" {
		label += " (bare " + bare + ")"
	}
	if floor, _ := r.compared(r.Floor); floor != "" {
		label += " (floor " + floor + ")"
	}
	text(out, labelWidth+barsWidth+12, baseline, "", label)
}

func vertical(out *bytes.Buffer, share float64, bottom int, style string) {
	fmt.Fprintf(out, `<line x1="%d" y1="%d" x2="%d" y2="%d" %s/>`+"\n", position(share), headHeight-6, position(share), bottom, style)
}

// position returns where a share of the goal lies.
func position(share float64) int { return labelWidth + int(share/widest*barsWidth) }

func text(out *bytes.Buffer, x, y int, style, content string) {
	fmt.Fprintf(out, `<text x="%d" y="%d" %s>%s</text>`+"\n", x, y, style, html.EscapeString(content))
}
